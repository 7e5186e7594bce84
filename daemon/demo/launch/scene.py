"""What runs during the launch, for its parts."""

from dataclasses import dataclass, field

from daemon.config.settings import Settings
from daemon.demo.children import DaemonProcess
from daemon.demo.config import Place
from daemon.demo.demo_run import DemoRun
from daemon.demo.launch.sizing import LaunchSizes
from daemon.demo.launch.wordings import Wording
from daemon.demo.server import DemoServer
from daemon.demo.watching import Watch
from daemon.domain.conversation import Conversation
from daemon.ledger.stores import Stores


@dataclass(kw_only=True, slots=True)
class Scene:
    """The daemon at work, the server that answers users, and what was said so far."""

    run: DemoRun
    place: Place
    settings: Settings
    stores: Stores
    daemon: DaemonProcess
    server: DemoServer
    watch: Watch
    sizes: LaunchSizes
    tokens_per_s: float  # training on this machine
    wordings: tuple[Wording, ...]
    texts: dict[str, Conversation] = field(default_factory=dict)  # by id, of what was sent
    inventions: dict[str, str] = field(default_factory=dict)  # answers of the base, by question

    def heading(self, text: str) -> None:
        """Begin a part, and say how long the rest will take."""
        left = self.sizes.seconds - self.run.view.elapsed_s
        minutes = max(1, round(left / 60))
        self.run.view.heading(f"{text} (about {minutes} min left)")
