"""The operation with no effects, through this project's database backend."""

from benchmarks.contenders.bare import This as Bare


class This(Bare):
    """The save alone, in a message less."""

    label = "no effects, our backend"
    differs = (
        "the floor by aftercommit.db.postgresql, which sends BEGIN with a transaction's first "
        "statement: Aftercommit's times have that in them, whatever effects cost"
    )
    engine = "aftercommit.db.postgresql"
    apps = ("aftercommit",)
