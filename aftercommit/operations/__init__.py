"""Operations of the outbox, for the admin, the command and the health pages."""
