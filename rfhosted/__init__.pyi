from rfhosted.client import Client as Client
from rfhosted.comparison.annotations import coco_truth as coco_truth, sample_truth as sample_truth
from rfhosted.comparison.comparison import Comparison as Comparison
from rfhosted.comparison.pairing import compare as compare
from rfhosted.comparison.precision_recall import (
    PrecisionRecallCurve as PrecisionRecallCurve,
    precision_recall_curve as precision_recall_curve,
)
from rfhosted.comparison.size_sweep import sweep as sweep
from rfhosted.comparison.sweep_result import Sweep as Sweep
from rfhosted.default import (
    ask as ask,
    classify as classify,
    describe_workflow as describe_workflow,
    detect as detect,
    predict as predict,
    read as read,
    run_workflow as run_workflow,
    segment as segment,
)
from rfhosted.endpoints.call import Call as Call
from rfhosted.errors import (
    AuthenticationError as AuthenticationError,
    HostedError as HostedError,
    ImageError as ImageError,
    InvalidRequestError as InvalidRequestError,
    ModelNotFoundError as ModelNotFoundError,
    ModelNotReadyError as ModelNotReadyError,
    PaymentRequiredError as PaymentRequiredError,
    PermissionDeniedError as PermissionDeniedError,
    RateLimitedError as RateLimitedError,
    ServiceError as ServiceError,
    TooLargeError as TooLargeError,
    UnexpectedAnswerError as UnexpectedAnswerError,
    UnreachableError as UnreachableError,
    UnsupportedError as UnsupportedError,
)
from rfhosted.explorer import Explorer as Explorer, explore as explore
from rfhosted.hosted import ApiVersion as ApiVersion, Task as Task
from rfhosted.images.samples import sample as sample, sample_names as sample_names
from rfhosted.latency import Benchmark as Benchmark, benchmark as benchmark, published as published
from rfhosted.prediction import Prediction as Prediction, TextPrediction as TextPrediction
from rfhosted.prediction.workflow import WorkflowResult as WorkflowResult

__version__: str
