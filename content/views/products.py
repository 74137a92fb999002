"""The products, and their changes by those who may."""

from typing import Any

from django.contrib.auth.mixins import PermissionRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.views.generic import CreateView, DeleteView, ListView, UpdateView

from ..forms import ProductForm
from ..models import Product
from .form_page import FormPage


class ProductList(ListView):
    """The products that are for sale, or all to a user with a permission to see them."""

    paginate_by = 20

    def get_queryset(self) -> QuerySet[Product]:
        """Return the products that the reader may see."""
        return Product.objects.visible_to(self.request.user)


class ProductChange(PermissionRequiredMixin, SuccessMessageMixin):
    """A page for users with the permission."""

    model = Product
    success_url: Any = reverse_lazy("product-list")


class ProductCreate(FormPage, ProductChange, CreateView):
    """A form for a new product."""

    form_class = ProductForm
    permission_required = "content.add_product"
    success_message = "“%(name)s” is saved."


class ProductEdit(FormPage, ProductChange, UpdateView):
    """The form of a product that exists."""

    form_class = ProductForm
    permission_required = "content.change_product"
    success_message = "“%(name)s” is saved."


class ProductDelete(FormPage, ProductChange, DeleteView):
    """Asks whether to delete a product, and deletes it."""

    http_method_names = ["get", "head", "post", "options"]  # no DELETE, which would not ask
    permission_required = "content.delete_product"
    success_message = "The product is deleted."
