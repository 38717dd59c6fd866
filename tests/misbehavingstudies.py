"""Studies at the misbehaving PACS, retrieved by jobs in this process to a real listener."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from misbehavingpacs import CALLING_AE, HOST, misbehaving_pacs
from retrieving import SETTINGS, jobs_of
from studyimages import study_images, study_uid

from pfdcmd.retrieve.job import RetrieveRequest

SERIES, IMAGES = 2, 8


@contextlib.contextmanager
def pacs_with(listener, study, behaviour, *, series=SERIES, **options):
    images = study_images(study=study, series=series, images=IMAGES)
    options.setdefault("destinations", {CALLING_AE: (HOST, listener.port)})
    with misbehaving_pacs(images, behaviour, **options) as pacs:
        yield pacs


def retrieved(listener, pacs, request, *, settings=SETTINGS, entry=None):
    """The job, once it has ended."""

    async def run():
        async with jobs_of({**pacs.entry, **(entry or {})}, listener.root, settings) as jobs:
            return await jobs.wait((await jobs.start(request)).id)

    return asyncio.run(run())


def whole(study):
    return RetrieveRequest("main", study_uid(study))


def sent_more_than_once(pacs):
    return [uid for uid, count in Counter(pacs.sent).items() if count > 1]
