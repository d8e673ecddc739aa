"""What is answered, for the OpenAPI document; the tests hold the answers to it."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from facespace.service.jobs import Job

BOX = [312.4, 102.9, 471.0, 318.2]
POINTS = [[352.1, 190.3], [424.8, 188.0], [391.2, 233.9], [360.0, 268.4], [421.7, 266.1]]
SHA = "fad6dcd75180305090b67dbd9ae8cd48f92c5d8bbe81b81af506fbdc2747c842"
Box = Annotated[
    list[float], Field(description="x0, y0, x1, y1 in pixels of the upright picture.", examples=[BOX])
]
Points = Annotated[
    list[list[float]], Field(description="x, y of eyes, nose and corners of the mouth.", examples=[POINTS])
]
Distance = Annotated[
    float | None, Field(description="Squared L2 of unit vectors, in [0, 4].", examples=[0.412])
]
Similarity = Annotated[float | None, Field(description="Cosine, 1 - distance / 2.", examples=[0.794])]
Threshold = Annotated[float | None, Field(description="The largest distance that counts.", examples=[0.731])]
Name = Annotated[str, Field(examples=["Ann Lee"])]
Quality = Annotated[
    float | None, Field(description="In [0, 1]; below 0.1 better set aside.", examples=[0.83])
]
Score = Annotated[float | None, Field(description="The detector's.", examples=[0.91])]


class Document(BaseModel):
    """Of an answer; no member is left out."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Model(Document):
    """An embedder; embeddings of two may meet only where one declares it."""

    name: Annotated[str, Field(examples=["facespace-s"])]
    version: Annotated[str, Field(examples=["3"])]
    sha256: Annotated[str, Field(description="Of its weights.", examples=[SHA])]


class Picture(Document):
    """The picture that was looked at; it is not kept."""

    sha256: Annotated[str, Field(description="Of its bytes.")]
    size_hw: Annotated[
        list[int], Field(description="Rows and columns of the upright picture.", examples=[[480, 640]])
    ]
    detector: Annotated[str, Field(description="sha256 of the detector.")]


class Face(Document):
    """Where a face is."""

    box_xyxy: Box
    landmarks_xy: Points
    score: Score
    quality: Quality


class MaybeFace(Document):
    """Of a picture where it is; nothing for embeddings that were sent."""

    box_xyxy: Box | None = None
    landmarks_xy: Points | None = None
    score: Score = None
    quality: Quality = None


class Identity(MaybeFace):
    """Who a face is."""

    subject: Annotated[str | None, Field(description="null: nobody who is enrolled.", examples=["Ann Lee"])]
    nearest: Annotated[str | None, Field(description="Near enough or not.", examples=["Ann Lee"])]
    distance: Distance
    similarity: Similarity
    threshold: Threshold
    chance: Annotated[
        float | None,
        Field(
            description="Share of unknown people who come as near; at an end of chance_range: that or beyond."
        ),
    ]


class Answer(Document):
    """What every answer about a gallery says."""

    gallery: Annotated[str, Field(examples=["team"])]
    model: Model
    picture: Picture | None = None
    index: Annotated[
        dict[str, Any] | None,
        Field(description="What the search rested on; its recall where one was measured."),
    ] = None


class Identified(Answer):
    """Who each face is."""

    fpir: Annotated[
        float, Field(description="Share of unknown people who may be taken for somebody.", examples=[0.01])
    ]
    far: Annotated[float | None, Field(description="Of one comparison, that it comes to.", examples=[1e-7])]
    measured: Annotated[
        bool, Field(description="Whether the model is calibrated at that rate; else extrapolated.")
    ]
    chance_range: list[float | None]
    n_subjects: int
    n_comparisons: int
    meaning: Annotated[str, Field(description="The same for people.")]
    faces: list[Identity]


class Near(Document):
    """An enrolled face."""

    subject: Name
    key: str
    distance: Distance
    similarity: Similarity
    threshold: Threshold
    same: Annotated[bool, Field(description="distance <= threshold")]
    model: Annotated[str, Field(description="sha256 of the model of the template.")]


class WithMatches(MaybeFace):
    """A face with those near it."""

    matches: list[Near]


Index = Annotated[
    dict[str, Any],
    Field(
        description="What a search of the templates of each model rests on; its measured recall, or null: exact."
    ),
]


class Searched(Answer):
    """The enrolled faces nearest to each face."""

    index: Index
    far: Annotated[
        float, Field(description="False-accept rate of the threshold, of one comparison.", examples=[1e-3])
    ]
    faces: list[WithMatches]


class Detected(Document):
    """The faces of a picture."""

    picture: Picture
    faces: list[Face]


class Vector(Face):
    """A face with its embedding."""

    embedding: Annotated[list[float], Field(description="Of unit length.")]
    bytes: Annotated[
        str | None, Field(description="The template that a gallery keeps, base64 of one byte each.")
    ]


class Embedded(Document):
    """The embeddings of the faces of a picture."""

    model: Model
    picture: Picture
    faces: list[Vector]


class Side(Face):
    """The largest face of a side."""

    n_faces: Annotated[int, Field(description="That the picture shows.")]


class Verified(Document):
    """Whether two sides show the same person."""

    same: bool
    distance: Distance
    similarity: Similarity
    threshold: Threshold
    far: Annotated[float, Field(examples=[1e-3])]
    model: Model
    a: Side | None
    b: Side | None


class GalleryName(Document):
    """A gallery."""

    name: Annotated[str, Field(examples=["team"])]


class Galleries(Document):
    """Those that the key may read."""

    galleries: list[GalleryName]


class GalleryShown(GalleryName):
    """How a gallery stands."""

    model: Model | None
    n_subjects: int
    n_faces: int
    keep_pictures: bool
    index: Index


class SubjectListed(Document):
    """A person."""

    name: Name
    n_faces: int


class Subjects(Document):
    """A page."""

    subjects: list[SubjectListed]
    next: Annotated[str | None, Field(description="Cursor of the next page; null at the end.")]


class SubjectShown(SubjectListed):
    """A person with the keys of the faces."""

    faces: list[str] | None = None


class EnrolledFace(Document):
    """An enrolled face; null for what an embedding alone does not say."""

    key: Annotated[str, Field(examples=["hr-1042"])]
    subject: Name
    sha256: Annotated[str, Field(description="Of what was sent.")]
    box_xyxy: Box | None
    score: Score
    quality: Quality


class EnrolledFaces(Document):
    """A page."""

    faces: list[EnrolledFace]
    next: Annotated[str | None, Field(description="Cursor of the next page; null at the end.")]


class PutFace(EnrolledFace):
    """What came of it."""

    outcome: Annotated[str, Field(description="new, replaced or unchanged", examples=["new"])]
    model: Model
    picture: Picture | None = None
    n_faces: Annotated[int | None, Field(description="That the picture shows; the largest was taken.")] = None


class RemovedFaces(Document):
    """What was removed."""

    key: str | None = None
    name: str | None = None
    n_faces: int
    overwritten: Annotated[
        bool, Field(description="Whether nothing of them is left in the file and its log.")
    ]


@dataclass(frozen=True)
class JobShown(Job):
    """A job."""


class JobsShown(Document):
    """The jobs of a gallery, the newest first."""

    jobs: list[JobShown]


class ProblemShown(BaseModel):
    """An error."""

    type: Annotated[str, Field(examples=["urn:facespace:queue-full"])]
    title: Annotated[str, Field(examples=["Too Many Requests"])]
    status: Annotated[int, Field(examples=[429])]
    detail: Annotated[str, Field(examples=["66 pictures wait already; ask again in 2 s"])]


def described(
    summary: str, answer: type[BaseModel | Job], status: int = 200, *, also: int | None = None, **extra: Any
) -> dict[str, Any]:
    """What the OpenAPI document says of a route, as arguments of its decorator.

    Args:
        summary: a line.
        answer: what it answers with.
        status: of the answer.
        also: another one with the same answer.
        extra: further members of the description, such as `requestBody`.
    """
    problem = {
        "description": "A problem", "model": ProblemShown,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemShown"}}},
    }  # fmt: skip
    responses: dict[int | str, Any] = {code: {"model": answer} for code in (status, also) if code is not None}
    responses |= {"4XX": problem, "5XX": problem}
    return {"summary": summary, "status_code": status, "responses": responses, "openapi_extra": extra or None}
