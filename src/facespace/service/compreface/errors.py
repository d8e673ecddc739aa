"""Errors as CompreFace answers them: a message and a code of its list."""

from starlette.responses import JSONResponse

from facespace.service.problems import Problem, ProblemError

__all__ = ["answer", "missing", "no_image", "no_service", "no_subject", "refused", "unsupported"]

# Its codes and statuses for kinds of problems; others keep their status, with the code of what is not defined.
CODES = {
    "invalid": (400, 26), "media-type": (400, 36), "unreadable-picture": (400, 21), "no-face": (400, 28),
    "models": (400, 36), "conflict": (400, 36), "method": (404, 0),
}  # fmt: skip
NO_FACE = "No face is found in the given image"


def answer(problem: Problem) -> JSONResponse:
    """A problem in CompreFace's form."""
    status, code = CODES.get(problem.kind, (problem.status, 0))
    if "code" in problem.more:
        status, code = problem.status, problem.more["code"]
    message = NO_FACE if problem.kind == "no-face" else problem.detail
    return JSONResponse({"message": message, "code": code}, status, headers=problem.headers)


def refused(status: int, code: int, message: str) -> ProblemError:
    """An error with a code of CompreFace's."""
    return ProblemError(status, "invalid", message, code=code)


def missing(what: str, name: str) -> ProblemError:
    """A "parameter" or a "part" that was not sent."""
    return refused(400, {"parameter": 33, "part": 34}[what], f"Required {what} {name} is missing")


def no_service(name: str) -> ProblemError:
    """The key is for no gallery that is there."""
    return refused(404, 10, f"{name} service with this API Key not found")


def no_subject(name: str) -> ProblemError:
    """Nobody of that name."""
    return refused(404, 42, f"Subject {name} not found")


def no_image(image_id: object) -> ProblemError:
    """No example with that id."""
    return refused(404, 44, f"Image {image_id} not found")


def unsupported(message: str) -> ProblemError:
    """What CompreFace can do and is not done here."""
    return refused(400, 36, f"not supported here: {message}")
