"""files.*: what a copy answers, with files as a fake."""

from datetime import datetime

from rpcfakes import call, make_context, make_rpc

from pfdcmd.actions.context import SeriesFiles
from pfdcmd.errors import TargetTaken
from pfdcmd.methods.files import METHODS


class Files:
    def __init__(self):
        self.copies = set()

    async def series(self, series_map_dir, series_uid):
        return SeriesFiles("/dicom/data/series", 1, True)

    async def copy_tree(self, source, target):
        is_new = target not in self.copies
        self.copies.add(target)
        return is_new


def test_a_second_copy_is_refused_with_what_to_do_instead():
    context = make_context({"xinetd": {"series_mapDir": "/dicom/log/series_map"}}, files=Files(), now=datetime.now)
    rpc = make_rpc(*METHODS, context=context)
    wanted = {"series": "1.2.3", "path": "/out"}
    assert call(rpc, "files.copy", wanted)["result"]["target"] == "/out/1.2.3"
    error = call(rpc, "files.copy", wanted)["error"]
    assert (error["code"], error["data"]["fault"]) == (403, "TargetTaken")
    assert error["message"] == "/out/1.2.3 is there already."
    assert error["data"]["do"] == TargetTaken.do
