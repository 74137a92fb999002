"""The products, and their changes by those who may."""

from typing import Any

from django.contrib.auth.mixins import PermissionRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.views.generic import CreateView, DeleteView, ListView, UpdateView

from ..forms import ProductForm
from ..models import Product


class ProductList(ListView):
    """The products that are for sale. Staff see all products."""

    paginate_by = 20

    def get_queryset(self) -> QuerySet[Product]:
        """Return the products that the reader may see."""
        products = Product.objects.all()
        return products if self.request.user.is_staff else products.filter(is_active=True)


class ProductChange(PermissionRequiredMixin, SuccessMessageMixin):
    """For staff, and for users with the permission."""

    model = Product
    request: HttpRequest
    success_url: Any = reverse_lazy("product-list")

    def has_permission(self) -> bool:
        """Return whether the user may change products."""
        return self.request.user.is_staff or super().has_permission()


class ProductCreate(ProductChange, CreateView):
    """A form for a new product."""

    form_class = ProductForm
    permission_required = "content.add_product"
    success_message = "“%(name)s” is saved."


class ProductEdit(ProductChange, UpdateView):
    """The form of a product that exists."""

    form_class = ProductForm
    permission_required = "content.change_product"
    success_message = "“%(name)s” is saved."


class ProductDelete(ProductChange, DeleteView):
    """Asks whether to delete a product, and deletes it."""

    permission_required = "content.delete_product"
    success_message = "The product is deleted."
