"""Tests of what a browser makes of a page."""

import pytest

from tests.tools.demo.forms import Page, PageError

HTML = """
<form method="post" action="/logout/"><input type="hidden" name="token" value="a"></form>
<a href="/products/7/edit/">Edit<span> Pot &amp; lid</span></a>
<form method="post" enctype="multipart/form-data">
  <input type="hidden" name="token" value="b"><input name="title" value="A &quot;b&quot;">
  <input type="checkbox" name="active" checked><input type="checkbox" name="sold" value="1">
  <input type="file" name="picture"><input type="submit" name="go" value="Go">
  <select name="category"><option value="">None</option>
    <option value="3" selected>Garden</option></select>
  <select name="size"><option value="s">Small</option><option value="l">Large</option></select>
  <textarea name="text">
first
second</textarea>
  <button name="no">Save</button>
</form>
"""


@pytest.fixture
def page() -> Page:
    """The page above."""
    return Page("/things/new/", HTML)


class TestPage:
    """What is found on a page."""

    def test_form_has_what_it_would_send_unchanged(self, page: Page) -> None:
        assert page.form().fields == {
            "token": "b",
            "title": 'A "b"',
            "active": "on",
            "category": "3",
            "size": "s",
            "text": "first\r\nsecond",
        }

    def test_form_without_an_action_goes_to_the_page_itself(self, page: Page) -> None:
        assert page.form().action == "/things/new/"
        assert page.form().multipart

    def test_form_is_found_by_where_it_goes(self, page: Page) -> None:
        assert page.form("/logout/").fields == {"token": "a"}

    def test_link_is_found_by_its_text(self, page: Page) -> None:
        assert page.link("Edit Pot & lid") == "/products/7/edit/"

    def test_fail_what_is_not_there_is_named(self, page: Page) -> None:
        with pytest.raises(PageError, match="no form that is sent to /login/"):
            page.form("/login/")
        with pytest.raises(PageError, match="no link 'Edit Pan'"):
            page.link("Edit Pan")


class TestForm:
    """Filling in a form."""

    def test_filled_chooses_by_the_text_that_a_user_reads(self, page: Page) -> None:
        assert page.form().filled(category="None", title="New").fields["category"] == ""

    def test_filled_leaves_the_form_on_the_page_as_it_was(self, page: Page) -> None:
        page.form().filled(title="New")
        assert page.form().fields["title"] == 'A "b"'

    def test_filled_sends_lines_as_browsers_do(self, page: Page) -> None:
        assert page.form().filled(text="a\nb\r\nc").fields["text"] == "a\r\nb\r\nc"

    def test_fail_unknown_field_or_choice(self, page: Page) -> None:
        with pytest.raises(PageError, match="no field colour"):
            page.form().filled(colour="red")
        with pytest.raises(PageError, match="no choice 'Kitchen'"):
            page.form().filled(category="Kitchen")
