"""Where networks run: one choice for detector and embedder, by the providers that onnxruntime was installed with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from facespace.errors import InputError, ModelError

AUTO = "auto"
# Two devices round differently, and where a value lies between two bytes, one takes this and one the other: the
# embeddings of one crop lie at most this far apart (L2), most of them far nearer, so that comparisons across devices
# are worth as much as those within one (docs/devices.md).
AGREEMENT = 7e-2


@dataclass(frozen=True)
class Device:
    """A kind of processor, and how onnxruntime reaches it.

    Attributes:
        name: as `--device` takes it.
        provider: onnxruntime's name for it.
        package: what to install for it.
        options: of the provider.
        takes_batches: whether several photos cost less together; then one thread at a time runs the network.
    """

    name: str
    provider: str
    package: str
    options: Mapping[str, str] = field(default_factory=dict)
    takes_batches: bool = False


DEVICES = {
    device.name: device
    for device in (
        Device("cpu", "CPUExecutionProvider", "onnxruntime"),
        # TensorFloat-32 keeps 10 bits of a factor: embeddings in floats would move by about 0.01.
        Device("cuda", "CUDAExecutionProvider", "onnxruntime-gpu", {"use_tf32": "0"}, takes_batches=True),
        Device("coreml", "CoreMLExecutionProvider", "onnxruntime on macOS"),
        Device("directml", "DmlExecutionProvider", "onnxruntime-directml on Windows", takes_batches=True),
        Device("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino", {"device_type": "CPU"}),
    )
}
# Those that win without being asked for. CoreML comes with every macOS and OpenVINO is no faster than the default on
# most processors: they are taken by name, after `facespace bench --device all`.
AUTOMATIC = ("cuda", "directml", "cpu")


def installed_devices() -> tuple[str, ...]:
    """Names of the devices that the installed onnxruntime has a provider for; "cpu" is always one."""
    import onnxruntime  # a quarter of the start of commands that run no network

    providers = onnxruntime.get_available_providers()
    return tuple(name for name, device in DEVICES.items() if device.provider in providers)


def candidates(choice: str) -> tuple[Device, ...]:
    """The devices to try for a choice, first one first; "auto" ends with the processor.

    Raises:
        InputError: no device of that name.
        ModelError: onnxruntime was installed without it.
    """
    if choice != AUTO and choice not in DEVICES:
        raise InputError(f"device: expected {AUTO} or one of {', '.join(DEVICES)}, got {choice!r}")
    installed = installed_devices()
    if choice == AUTO:
        return tuple(DEVICES[name] for name in AUTOMATIC if name in installed)
    if choice not in installed:
        raise ModelError(
            f"device {choice}: this onnxruntime has {', '.join(installed)}; replace it with "
            f"{DEVICES[choice].package}"
        )
    return (DEVICES[choice],)
