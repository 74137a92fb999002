"""The servers of a run, as they are told of before they start."""

from redis import Redis

from benchmarks.servers import Servers


def test_address_of_redis() -> None:
    """A contender's database has a number of its own. The server's password opens it."""
    servers = Servers()
    servers._numbers = {"bare": 3}
    with Redis.from_url(servers.redis_url("bare")) as client:
        given = client.connection_pool.connection_kwargs
    assert (given["db"], given["port"]) == (3, servers.redis.port)
    assert given["password"] == servers.redis.password
