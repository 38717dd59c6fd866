from pfdcmd.defaults import initial_tree
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree


def make(**settings):
    return initial_tree(Settings(**settings), version="9.9", service_file="/etc/xinetd.d/dicomlistener")


def test_directories_follow_dicom_dir():
    xinetd = make(dicom_dir="/srv/dicom/")["xinetd"]
    assert xinetd["dataDir"] == "/srv/dicom/data"
    assert xinetd["series_mapDir"] == "/srv/dicom/log/series_map"


def test_ports_are_text_but_ours_and_both_verbosities_are_there():
    tree = make(port_self=1, verbosity="3")
    assert tree["this"]["args"]["portSelf"] == 1
    assert tree["this"]["args"]["verbosity"] == "3"
    assert tree["this"]["verbosity"] == 3
    assert tree["this"]["args"]["portSwift"] == "8080"
    assert tree["xinetd"]["servicePort"] == "10402"


def test_the_banner_has_the_version_and_the_tree_takes_it_all():
    assert "9.9" in make()["this"]["desc"]
    assert Tree(make()).get("/this/version") == ""
