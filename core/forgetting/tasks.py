"""Forget a person in the background: the admin and the retention ask for it."""

import logging

from celery import shared_task
from django.contrib.auth.models import User
from django.db import router, transaction

from core.forgetting.closing import close_account
from core.forgetting.find import person_of
from core.forgetting.forget import forget

logger = logging.getLogger(__name__)

HOUR = 3600


# Begun anew it goes on: so a lost worker or a database that was away costs nothing but time.
@shared_task(atomic=False, reject_on_worker_lost=True, time_limit=HOUR, lease=HOUR + 100)
def forget_user(user_id: int) -> None:
    """Remove the user's data from everywhere. A user who is gone leaves nothing to do."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        counts = forget(person_of(user))
        logger.info("Forgot user #%d: %d rows", user_id, counts.total())


def request_forgetting(user: User) -> None:
    """Close the user's account and have the person forgotten. Raises LastSuperuser."""
    with transaction.atomic(using=router.db_for_write(User)):
        close_account(user.pk)
        forget_user.delay_on_commit(user_id=user.pk)
