"""Mounts in a namespace of their own, where this machine lets a test have one."""

import os
import shutil
import subprocess

import pytest


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        return False
    done = subprocess.run([unshare, "--mount", "true"], capture_output=True, check=False)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not _can_mount(), reason="mounting needs root and unshare")
