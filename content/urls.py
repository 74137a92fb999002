"""The addresses of the site's own pages."""

from django.contrib import admin
from django.urls import path, re_path

from .views import articles, listings, on_site, people, products

urlpatterns = [
    path("", listings.ArticleList.as_view(), name="article-list"),
    path("articles/new/", articles.ArticleCreate.as_view(), name="article-create"),
    path("articles/<slug:slug>/", articles.ArticleDetail.as_view(), name="article-detail"),
    path("articles/<slug:slug>/edit/", articles.ArticleEdit.as_view(), name="article-edit"),
    path(
        "articles/<slug:slug>/publish/", articles.ArticlePublish.as_view(), name="article-publish"
    ),
    path("articles/<slug:slug>/delete/", articles.ArticleDelete.as_view(), name="article-delete"),
    path("articles/<slug:slug>/comments/", articles.CommentCreate.as_view(), name="comment-create"),
    path("categories/<slug:slug>/", listings.CategoryDetail.as_view(), name="category-detail"),
    path("authors/<str:username>/", listings.AuthorDetail.as_view(), name="author-detail"),
    path("products/", products.ProductList.as_view(), name="product-list"),
    path("products/new/", products.ProductCreate.as_view(), name="product-create"),
    path("products/<int:pk>/edit/", products.ProductEdit.as_view(), name="product-edit"),
    path("products/<int:pk>/delete/", products.ProductDelete.as_view(), name="product-delete"),
    path("profile/", people.ProfileEdit.as_view(), name="profile-edit"),
    re_path(r"^media/avatars/(?P<name>[\w-][\w.-]*)$", people.avatar, name="avatar"),
    # In the place of the admin's own address of this path, which asks for no permission.
    path(
        "admin/r/<int:content_type_id>/<path:object_id>/",
        admin.site.admin_view(on_site.view_on_site),
        name="view-on-site",
    ),
]
