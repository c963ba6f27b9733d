from commscaffoldd.core.layout import Layout

class Header:
    def __init__(
        self, layout: Layout, *, max_body: int, default_id: int = 1, drop_bad_checksums: bool = False
    ) -> None: ...
