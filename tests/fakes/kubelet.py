"""A node of a fake cluster: runs the containers of pods as processes of this machine."""

import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.factories.kubernetes import ended, running
from tests.fakes.kubernetes import Document, FakeCluster, Refused


class Kubelet:
    """Runs the first container of each pod, with the environment that the pod says and no other, and keeps its log."""

    def __init__(self, cluster: FakeCluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._stop = threading.Event()
        self._containers: dict[str, threading.Thread] = {}
        self._node = threading.Thread(target=self._watch, name="kubelet", daemon=True)

    def __enter__(self) -> Self:
        self._node.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._node.join(10)
        for container in self._containers.values():
            container.join(30)

    @property
    def started(self) -> list[str]:
        """The pods that ran here."""
        return list(self._containers)

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            for pod in self._cluster.list_all("pods")[0]:
                name = pod["metadata"]["name"]
                if name not in self._containers:
                    container = threading.Thread(target=self._run, args=(pod,), name=name, daemon=True)
                    self._containers[name] = container
                    container.start()

    def _run(self, pod: Document) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        environment = {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
        folder = self._folder / name
        folder.mkdir(parents=True)
        with (folder / "stderr.log").open("wb") as log:
            process = subprocess.Popen(
                [*container["command"], *container["args"]], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **environment},
            )  # fmt: skip
        watchdog = threading.Thread(target=self._end_with_pod, args=(name, process), daemon=True)
        watchdog.start()
        self._becomes(name, running())
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._cluster.logs[name] = self._cluster.logs.get(name, "") + line
        code = process.wait()
        said = (folder / "stderr.log").read_text(encoding="utf-8")[-2_000:]
        self._becomes(name, ended(code, "Completed" if code == 0 else "Error", said if code else ""))
        watchdog.join(5)

    def _end_with_pod(self, name: str, process: subprocess.Popen[str]) -> None:
        """End a container whose pod is deleted, as a node does."""
        while process.poll() is None:
            if self._stop.wait(0.2) or not self._is_there(name):
                process.terminate()
                return

    def _is_there(self, name: str) -> bool:
        try:
            self._cluster.get("pods", name)
        except Refused:
            return False
        return True

    def _becomes(self, name: str, status: Document) -> None:
        if self._is_there(name):
            self._cluster.patch_status("pods", name, status)
