"""What is secret leaves the request masked: no call, no entry and no error has it in clear."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import models
from django.db.models.signals import post_delete, post_save, pre_delete
from django.test.utils import isolate_apps

from aftercommit.models import OutboxCall
from aftercommit.tracking.auditable import AuditableMixin
from aftercommit.worker.drain import drain_all
from audit import receivers
from audit.admin import AuditLogAdmin
from audit.masking import MASK
from audit.models import AuditLog
from tests.factories import UserFactory
from tests.unit.aftercommit.tables import tables

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "s3cret-old", "s3cret-new"


class Written(models.TextField):
    """Is encrypted in its column, and in clear on the instance."""

    def get_prep_value(self, value: Any) -> Any:
        return base64.b64encode(super().get_prep_value(value).encode()).decode()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return base64.b64decode(value).decode()


@pytest.fixture
def account() -> Iterator[Any]:
    """A class with secrets of each kind, which is audited."""
    with isolate_apps("audit"):

        class Account(AuditableMixin, models.Model):
            name = models.CharField(max_length=100)
            accessToken = models.CharField(max_length=100, default=OLD)
            pin = models.IntegerField(default=4711)
            iban = models.CharField(max_length=100, default=OLD)
            memo = Written(default=OLD)
            options = models.JSONField(default=dict)
            address = models.TextField(default=f"https://me:{OLD}@example.com/")
            token_label = models.CharField(max_length=100, default="public")
            password_changed_at = models.DateField(null=True, default="2024-02-29")

            class Meta:
                app_label = "audit"

            def __str__(self) -> str:
                return self.name

    receivers.connect(Account, mask=["iban"], show=["token_label"])
    with tables(Account):
        yield Account
    post_save.disconnect(receivers.saved_write_audit_log, sender=Account)
    pre_delete.disconnect(receivers.deleting_lock_row, sender=Account)
    post_delete.disconnect(receivers.deleted_write_audit_log, sender=Account)


def payloads() -> str:
    """What the calls have that wait for a worker."""
    return "".join(OutboxCall.objects.values_list("payload", flat=True))


def entries() -> list[AuditLog]:
    """The entries, oldest first."""
    assert drain_all().dead == 0
    return list(AuditLog.objects.order_by("call_id"))


SECRET = ("accessToken", "pin", "iban", "memo")


@pytest.mark.every_database
def test_no_secret_leaves_the_request(account: Any) -> None:
    """At a creation, a change and a deletion."""
    row = account.objects.create(name="Mara", options={"a": [{"api_key": OLD, "b": 1}]})
    for name in ("accessToken", "iban", "memo"):
        setattr(row, name, NEW)
    row.pin, row.address = 4712, f"https://me:{NEW}@example.com/"
    row.options["a"][0]["api_key"] = NEW
    row.save()
    row.delete()
    for hidden in (OLD, NEW, "4711", "4712"):
        assert hidden not in payloads()
    created, changed, deleted = entries()
    assert {name: created.changes["values"][name] for name in SECRET} == dict.fromkeys(SECRET, MASK)
    assert {name: changed.changes[name] for name in SECRET} == {
        name: {"old": MASK, "new": MASK} for name in SECRET
    }
    options = f'{{"a": [{{"api_key": "{MASK}", "b": 1}}]}}'
    assert changed.changes["options"] == {"old": options, "new": options}
    assert changed.changes["address"]["new"] == f"https://me:{MASK}@example.com/"
    assert deleted.changes["deleted_values"]["memo"] == MASK
    shown = created.changes["values"]
    assert (shown["token_label"], shown["password_changed_at"]) == ("public", "2024-02-29")


def test_empty_secret(account: Any) -> None:
    """That there was none, or is none any more, is seen."""
    row = account.objects.create(name="Mara", accessToken="")
    row.accessToken = NEW
    row.save()
    row.accessToken = ""
    row.save()
    created, given, taken = entries()
    assert created.changes["values"]["accessToken"] == ""
    assert given.changes == {"accessToken": {"old": "", "new": MASK}}
    assert taken.changes == {"accessToken": {"old": MASK, "new": ""}}


@pytest.mark.parametrize(
    ("describe", "name"),
    [
        (lambda row: f"Account {row.accessToken}", f"Account {MASK}"),
        (lambda row: f"{row.accessToken.upper()} of {row.name}", f"{MASK} of Mara"),
        (lambda row: f"Account with PIN {row.pin}", f"Account with PIN {MASK}"),
        (lambda row: f"Account {row.memo!r}", f"Account '{MASK}'"),
        (lambda row: f"Account {row.options['token']}", f"Account {MASK}"),
        (lambda row: f"Account {row.options}", f"Account {{'token': \"{MASK}\"}}"),
        (lambda row: row.address, f"https://me:{MASK}@example.com/"),
        (lambda row: "x" * 195 + row.iban, "x" * 195 + MASK[:5]),
        (lambda row: OLD, MASK),
    ],
)
def test_name_of_an_object(
    account: Any, monkeypatch: pytest.MonkeyPatch, describe: Callable[[Any], str], name: str
) -> None:
    """A name with secrets is shown without them, before it is cut."""
    row = account.objects.create(name="Mara")
    drain_all()
    monkeypatch.setattr(account, "__str__", describe)
    row.options, row.accessToken, row.iban, row.memo = {"token": NEW}, NEW, NEW, NEW
    row.save()
    assert NEW not in payloads()
    assert OLD not in payloads()
    assert entries()[-1].object_repr == name


def test_name_with_another_object_s_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that shows the secret of an object beside it shows it masked."""
    user = UserFactory()
    profile = User.objects.select_related("profile").get(pk=user.pk).profile
    drain_all()
    monkeypatch.setattr(type(profile), "__str__", lambda self: f"{self.pk} {self.user.password}")
    profile.bio = "Changed."
    profile.save()
    assert user.password not in payloads()
    assert entries()[-1].object_repr == f"{profile.pk} {MASK}"


def test_name_that_the_worker_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a name that the request would need a query for."""
    user = UserFactory()
    profile = type(user.profile).objects.get(pk=user.profile.pk)
    drain_all()
    monkeypatch.setattr(type(profile), "__str__", lambda self: f"{self.pk} {self.user.password}")
    profile.bio = "Changed."
    profile.save()
    assert entries()[-1].object_repr == f"{profile.pk} {MASK}"


@pytest.mark.parametrize("password", ["a", "mara", "correct horse"])
def test_changed_password(password: str) -> None:
    """Is an entry that says so, and neither the password nor a hash of it."""
    user = UserFactory(username="mara")
    hashes = [user.password]
    user.set_password(password)
    hashes.append(user.password)
    user.save()
    assert not any(each in payloads() for each in hashes)
    entry = entries()[-1]
    assert entry.object_repr == "mara"
    assert entry.changes == {"password": {"old": MASK, "new": MASK}}
    assert AuditLogAdmin.summary(None, entry) == "password"  # type: ignore[arg-type]


def test_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object whose key is a secret is known by a hash of it, and found by that."""
    with isolate_apps("audit"):

        class Token(AuditableMixin, models.Model):  # noqa: DJ008
            key = models.IntegerField(primary_key=True)
            note = models.CharField(max_length=40, default="")

            class Meta:
                app_label = "audit"

        class Use(AuditableMixin, models.Model):  # noqa: DJ008
            by = models.ForeignKey(Token, models.CASCADE)

            class Meta:
                app_label = "audit"

    receivers.connect(Token)
    receivers.connect(Use)
    with tables(Token, Use):
        monkeypatch.setattr("audit.labels.find_model", lambda label: Token)
        monkeypatch.setattr(Token, "__str__", lambda self: str(Use._default_manager.count()))
        token = Token(key=91_827_364)
        token.save()
        token.note = "Changed."
        token.save()
        Use(by=token).save()
        assert "91827364" not in payloads()
        *_, changed, used = entries()
    assert changed.object_id.startswith("hash:")
    assert AuditLog.objects.for_object(token).first() == changed
    assert used.changes["values"]["by"] == MASK


def test_failing_task(monkeypatch: pytest.MonkeyPatch, account: Any) -> None:
    """What is kept of a failure doesn't have it, either."""

    def fail(call: Any, **kwargs: Any) -> None:
        raise ValueError(kwargs)

    account.objects.create(name="Mara")
    monkeypatch.setattr("audit.tasks.build_log", fail)
    drain_all()
    error = OutboxCall.objects.get().error
    assert MASK in error
    assert OLD not in error
