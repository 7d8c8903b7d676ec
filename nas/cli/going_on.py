"""`nas search --study NAME` alone: goes on with the options that the study was last searched with."""

import click

from nas.study.folders import DEFAULT_STORAGE

# What may be told besides: how long and with what. Whatever else is told says what is searched, by itself.
BESIDES = {
    "study", "storage", "trials", "timeout", "target", "workers", "device", "precision", "data_dir", "out",
    "confirming", "as_json", "notify",
}  # fmt: skip


class GoesOn(click.Command):
    """A search whose options, where a study is named and nothing else is told that defines one, are the study's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            args = [*self._of_study(ctx, args), *args]
        return super().parse_args(ctx, args)

    def _of_study(self, ctx: click.Context, args: list[str]) -> list[str]:
        told, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
        name, storage = told.get("study"), told.get("storage", DEFAULT_STORAGE)
        if name is None or rest or not set(told) <= BESIDES:
            return []
        from nas.study.names import has_study

        if not has_study(storage, name):
            return []
        from nas.study.status import statuses
        from nas.study.storage import open_storage

        (known,) = statuses(open_storage(storage, must_exist=True), name, storage)
        return [] if known.words is None else [*known.words[2:]]
