"""PostgreSQL's statements, each with what it costs and why it is as it is.

CLAIM, LOCK and EXCHANGE do the same as the standard operations, in one round trip each. With a
light load these are most of the way from a commit to its effect. The COMMIT of CLAIM and LOCK does
not wait for the disk. Where a crash of the server undoes it, a batch's effects are undone with its
settlement, and the batch runs again.

The planner believes what autovacuum saw last: an outbox that was nearly empty, whose indexes were
not. It would read a backlog that has come since as a whole, and sort it, for each batch. A limit
that it doesn't know, ``LIMIT (SELECT %s)``, makes it read outbox_pending in its order.
"""

COPY = "COPY aftercommit_outboxcall (id, task, payload, context) FROM STDIN"

JSON_ROWS = """
    SELECT (call->>0)::bigint, call->>1, call->>2, call->>3, coalesce(
        to_timestamp((call->>4)::float8),
        statement_timestamp() + (call->>5)::float8 * interval '1 second'
    )
    FROM json_array_elements(%s::json) WITH ORDINALITY AS calls (call, position)
    ORDER BY position
"""

LATER_ROW = """(%s, %s, %s, %s, coalesce(
    to_timestamp(%s::float8), statement_timestamp() + %s * interval '1 second'
))"""

CLAIM = """
    WITH due AS (
        SELECT id, available_at, crashes FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
        ORDER BY available_at, id LIMIT (SELECT %s) FOR UPDATE SKIP LOCKED
    ), numbered AS (
        SELECT id, row_number() OVER position AS number, sum(crashes) OVER position AS crashed
        FROM due WINDOW position AS (ORDER BY available_at, id)
    )
    INSERT INTO aftercommit_outboxbatch (id, task, worker, calls)
    SELECT %s, %s, %s, jsonb_agg(id ORDER BY number) FROM numbered
    WHERE crashed = 0 OR number = 1
    HAVING count(*) > 0 AND set_config('synchronous_commit', 'off', true) = 'off'
    RETURNING calls, (SELECT count(*) FROM due)
"""

LOCK = """
    WITH journal AS (
        DELETE FROM aftercommit_outboxbatch WHERE id = %s
        RETURNING set_config('synchronous_commit', 'off', true),
            set_config('idle_in_transaction_session_timeout',
                coalesce(%s, current_setting('idle_in_transaction_session_timeout')), true)
    ), locked AS (
        SELECT id, task, payload, context, attempts, crashes, created_at, available_at
        FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
            AND id = ANY(%s) AND (SELECT count(*) FROM journal) >= 0
        ORDER BY available_at, id
        FOR UPDATE SKIP LOCKED
    )
    SELECT (SELECT count(*) FROM journal), id, task, payload, context, attempts, crashes, created_at
    FROM (SELECT) AS one LEFT JOIN locked ON true
    ORDER BY available_at, id
"""

# Its COMMIT waits for the disk: a lease that a crash of the server undid would let a call run
# twice.
EXCHANGE = """
    WITH done AS (
        DELETE FROM aftercommit_outboxcall WHERE id = %(done)s AND lease = %(ended)s RETURNING id
    ), due AS (
        SELECT id, available_at FROM aftercommit_outboxcall
        WHERE task = %(task)s AND status = 'pending' AND available_at <= statement_timestamp()
            AND (%(done)s IS NULL OR EXISTS (SELECT FROM done))
        ORDER BY available_at, id LIMIT 2 FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE aftercommit_outboxcall SET status = 'running', lease = %(lease)s,
            available_at = statement_timestamp() + %(seconds)s * interval '1 second'
        WHERE id = (SELECT id FROM due ORDER BY available_at, id LIMIT 1)
        RETURNING id, task, payload, context, attempts, crashes, created_at
    )
    SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM due), leased.*
    FROM (SELECT) AS one LEFT JOIN leased ON true
"""

# A parameter for each id would cost more than the rows do.
DELETE = "DELETE FROM {table} WHERE id = ANY(%s)"

LIMIT_IDLE = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"

# These go with SETTLE in one message, and so hold for its transaction alone.
SETTINGS = """
    SET LOCAL synchronous_commit = off;
    SET LOCAL statement_timeout = {milliseconds};
"""

# The calls are locked, deleted and had their effects in one statement, which commits or doesn't.
# By ctid, and in an array: a join by id costs half as much again. A row that somebody changed in
# the meantime has another ctid. The DELETE doesn't find it, and the next batch has it.
SETTLE = """
    WITH due AS (
        SELECT ctid, available_at, id FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
            AND (available_at, id) > (%s::timestamptz, %s)
        ORDER BY available_at, id LIMIT (SELECT %s) FOR UPDATE SKIP LOCKED
    ), settled AS (
        DELETE FROM aftercommit_outboxcall WHERE ctid = ANY(ARRAY(SELECT ctid FROM due))
        RETURNING id, payload, context, created_at, available_at
    ), calls AS (
        SELECT id, created_at, payload::jsonb -> 0 AS args, payload::jsonb -> 1 AS kwargs,
            context::jsonb ->> 0 AS actor_id, context::jsonb ->> 1 AS actor,
            context::jsonb ->> 2 AS request_id, context::jsonb ->> 3 AS address
        FROM settled ORDER BY available_at, id
    ), effects AS (
        {statement}
    )
    SELECT (SELECT count(*) FROM settled), (SELECT count(*) FROM due), available_at, id
    FROM (SELECT) AS one LEFT JOIN (
        SELECT available_at, id FROM due ORDER BY available_at DESC, id DESC LIMIT 1
    ) AS last ON true
"""

START = ("-infinity", 0)
"""The place before all calls."""

TABLE_SETUP = (
    "ALTER TABLE aftercommit_outboxcall SET "
    "(autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
)
"""More dead rows than a claim notices. Autovacuum looks once a minute (``autovacuum_naptime``)."""

TABLE_SETUP_UNDONE = (
    "ALTER TABLE aftercommit_outboxcall RESET "
    "(autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)"
)
