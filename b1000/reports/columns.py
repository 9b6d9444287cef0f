"""What tables of the central database are made of. Pure."""

from b1000.named import NamedTuple


class Column(NamedTuple):
    """One column.

    ``mysql`` and ``sqlite`` are its definition in either dialect. An
    ``original`` one stands in the tables of older installations too; the
    others are added to those, so they must have a default. ``longest`` is how
    many characters are ever written to it, where that is less than it holds.
    ``former`` is the name that the first version gave to an added one. ``values``
    are all that an ENUM may hold, in their order.
    """

    name: str
    mysql: str
    sqlite: str
    original: bool = True
    longest: int = 0
    former: str = ""
    values: tuple[str, ...] = ()

    @property
    def may_be_unknown(self) -> bool:
        """Whether NULL is written to it; of the original columns only in this one."""
        return self.name == "data_age" or not (self.original or "NOT NULL" in self.mysql)

    @property
    def length(self) -> int:
        """How many characters it holds; 0 where it is not a VARCHAR."""
        kind, _, rest = self.mysql.partition("(")
        return int(rest.partition(")")[0]) if kind == "VARCHAR" else 0

    @property
    def needed(self) -> int:
        """How many characters it has to hold."""
        return self.longest or self.length


class Index(NamedTuple):
    """One index that names no row, made for those who read."""

    name: str
    columns: tuple[str, ...]

    @property
    def definition(self) -> str:
        """Its name and columns, as both dialects write them."""
        return f"{self.name} ({', '.join(self.columns)})"


class Table(NamedTuple):
    """One table: ``identity`` is its numbering column, if it has one, ``key`` what names a row.

    The rows of ``stored`` are written by storages, all others by runs.

    ``sign`` is a condition on a column, as information_schema describes it, which holds in
    the tables that the first version made and in no others; ``remade`` are the columns that it
    defined otherwise.
    """

    name: str
    identity: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    sign: str = ""
    remade: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, without the numbering one."""
        return tuple(column.name for column in self.columns)

    @property
    def counter(self) -> str:
        """The column that grows with each state of a row."""
        return next(name for name in self.names if name.endswith("transition"))

    @property
    def narrow_key(self) -> tuple[str, ...]:
        """What named a row before columns were added; () where it is the same."""
        narrow = tuple(name for name in self.key if self.column(name).original)
        return () if narrow == self.key else narrow

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)
