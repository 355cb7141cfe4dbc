"""Make the Python stubs from the .proto files, beside them. `make proto` calls it; check.py compares its output."""

import os
import sys
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def generate(out: Path) -> None:
    """Write *_pb2.py, *_pb2_grpc.py and their .pyi below `out`, and the package markers."""
    sources = sorted(str(path.relative_to(HERE)) for path in HERE.glob("gatepost/**/*.proto"))
    os.environ["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # protoc looks for its plug-ins there
    )
    include = Path(protoc.__file__).parent / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{HERE}",
            f"-I{include}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out={out}",
            f"--mypy_grpc_out={out}",
            *sources,
        ]
    )
    if status:
        sys.exit(status)
    for folder in sorted({(out / source).parent for source in sources}):
        for package in (folder, folder.parent):
            marker = package / "__init__.py"
            if not marker.exists():
                marker.write_text('"""Generated stubs."""\n', encoding="utf-8")


if __name__ == "__main__":
    generate(HERE)
