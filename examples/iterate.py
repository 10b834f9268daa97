"""Scripts a run against running services: iterations of self-play from the built-in base, an evaluation of the base and
of every iteration, a table and the HTML report. What it needs is in requirements.txt; the contracts come from proto/.
"""

import argparse
import importlib.resources
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
from grpc_tools import protoc

SAMPLING_STEPS = 20
PROGRESS_SECONDS = 5
RETRIES = 30
RETRY_SECONDS = 2
CALL_SECONDS = 30


def load_contracts(proto: Path) -> None:
    """Generates Python code from the contracts into a temporary folder, and imports it."""
    global common_pb2, evaluation_pb2, sampling_pb2, tensor_pb2, training_pb2
    global evaluator_grpc, evaluator_pb2, trainer_grpc, trainer_pb2
    folder = tempfile.TemporaryDirectory(prefix="spin-contracts-")
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    files = [str(file) for file in sorted((proto / "spin" / "v1").glob("*.proto"))]
    outputs = [f"--python_out={folder.name}", f"--grpc_python_out={folder.name}"]
    code = protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", *outputs, *files])
    if code != 0 or not files:
        raise SystemExit(f"error: no code could be generated from {proto}/spin/v1; name the folder with --proto")
    sys.path.insert(0, folder.name)
    from spin.v1 import common_pb2, evaluation_pb2, sampling_pb2, tensor_pb2, training_pb2
    from spin.v1 import evaluator_service_pb2 as evaluator_pb2
    from spin.v1 import evaluator_service_pb2_grpc as evaluator_grpc
    from spin.v1 import trainer_service_pb2 as trainer_pb2
    from spin.v1 import trainer_service_pb2_grpc as trainer_grpc

    folder.cleanup()


def main() -> None:
    options = parse_arguments()
    load_contracts(options.proto)
    trainer = trainer_grpc.TrainerServiceStub(connect(options.trainer, options))
    evaluator = evaluator_grpc.EvaluatorServiceStub(connect(options.evaluator, options))

    run = trainer.CreateRun(
        trainer_pb2.CreateRunRequest(
            request_id=options.name,
            display_name=options.name,
            base={"model_name": options.base},
            dataset={"name": options.dataset, "split": "train"},
            seed=5775709,
        ),
        timeout=CALL_SECONDS,
    ).run
    print(f"run {run.run_id}, base {run.base.digest}", flush=True)

    checkpoints = [evaluation_pb2.EvaluatedCheckpoint(label="base", checkpoint=run.base)]
    curves = []
    for k in range(1, options.iterations + 1):
        label = f"spin-{k}"
        digest, metrics = iterate(trainer, options, run.run_id, label)
        steps = k * options.steps
        checkpoints.append(
            evaluation_pb2.EvaluatedCheckpoint(label=label, checkpoint={"digest": digest}, total_steps=steps)
        )
        curves.append(evaluation_pb2.TrainingCurve(label=label, steps=metrics))

    evaluation = evaluate(evaluator, options, checkpoints)
    print_table(evaluation)
    request = evaluator_pb2.GetReportRequest(evaluation_id=evaluation.evaluation_id, curves=curves)
    options.report.write_bytes(b"".join(part.data for part in evaluator.GetReport(request)))
    print(f"report: {options.report}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Runs iterations of SPIN-Diffusion on running services and evaluates what comes out.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--trainer", default="127.0.0.1:50052", metavar="HOST:PORT", help="address of the trainer")
    parser.add_argument("--evaluator", default="127.0.0.1:50053", metavar="HOST:PORT", help="address of the evaluator")
    parser.add_argument(
        "--base", default="base", metavar="NAME", help="model to start from, under the services' MODEL_DIR"
    )
    parser.add_argument("--dataset", default="emoji/winners", metavar="NAME", help="real images and captions")
    parser.add_argument("--iterations", type=int, default=2, metavar="COUNT", help="iterations of self-play")
    parser.add_argument("--steps", type=int, default=20, metavar="COUNT", help="optimiser steps of each iteration")
    parser.add_argument("--max-prompts", type=int, default=32, metavar="COUNT", help="prompts to evaluate; 0: all")
    name = f"iterate-{time.time_ns() // 1_000_000:x}"
    parser.add_argument("--name", default=name, help="the same name again goes on with what exists")
    parser.add_argument(
        "--report", type=Path, default=Path("iterate-report.html"), metavar="FILE", help="where to write the report"
    )
    parser.add_argument(
        "--proto",
        type=Path,
        default=Path(__file__).resolve().parent.parent / "proto",
        metavar="FOLDER",
        help="the contracts",
    )
    files = {"type": Path, "metavar": "FILE"}
    parser.add_argument("--tls-ca", **files, help="CA of the services' certificates; without it no TLS")
    parser.add_argument("--tls-cert", **files, help="a certificate of one's own, for mutual TLS")
    parser.add_argument("--tls-key", **files, help="its private key")
    parser.add_argument("--tls-name", metavar="NAME", help="name that the services' certificates must have")
    parser.add_argument("--token-file", **files, help="file with a token")
    return parser.parse_args()


class Token(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends a token with every call. gRPC's own call credentials want TLS, and a token may cross loopback without."""

    def __init__(self, token: str):
        self._header = ("authorization", f"Bearer {token}")

    def _call(self, continuation, details, request):
        metadata = [*(details.metadata or []), self._header]
        return continuation(details._replace(metadata=metadata), request)

    intercept_unary_unary = _call
    intercept_unary_stream = _call


def connect(address: str, options: argparse.Namespace) -> grpc.Channel:
    """A channel that ignores proxies: those are for the world outside."""
    settings = [("grpc.enable_http_proxy", 0)]
    if options.tls_name:
        settings.append(("grpc.ssl_target_name_override", options.tls_name))
    if options.tls_ca:
        parts = [file.read_bytes() if file else None for file in (options.tls_ca, options.tls_key, options.tls_cert)]
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*parts), options=settings)
    else:
        channel = grpc.insecure_channel(address, options=settings)
    if not options.token_file:
        return channel
    if not options.tls_ca and address.rsplit(":", 1)[0] not in ("127.0.0.1", "localhost", "[::1]"):
        raise SystemExit("error: the token would cross the network in the clear; give --tls-ca")
    return grpc.intercept_channel(channel, Token(options.token_file.read_text().strip()))


def iterate(trainer, options: argparse.Namespace, run_id: str, label: str):
    """One iteration of self-play in the re-noised form, watched to its end: its checkpoint's digest and its steps."""
    spec = training_pb2.IterationSpec(
        display_name=label,
        spin_renoised={"beta": 5000},
        sampling=sampling_pb2.SamplingSettings(
            sampler={"kind": sampling_pb2.SAMPLER_KIND_DDIM, "num_steps": SAMPLING_STEPS, "guidance_scale": 1},
            timestep_choice=sampling_pb2.TIMESTEP_CHOICE_STRATIFIED,
            draws_per_sample=4,
            prompt_dropout=0.1,
            image={"crop": sampling_pb2.CROP_KIND_CENTER},
            dtype=tensor_pb2.DATA_TYPE_FLOAT32,
            batch_size=8,
        ),
        optimizer={"learning_rate": 1e-5, "warmup_steps": 5},
        num_steps=options.steps,
        batch_size=8,
    )
    request = trainer_pb2.StartIterationRequest(request_id=f"{options.name}-{label}", run_id=run_id, spec=spec)
    iteration = trainer.StartIteration(request, timeout=CALL_SECONDS).iteration
    metrics = []
    line = throttled()

    def watch(sequence: int):
        return trainer.WatchIteration(
            trainer_pb2.WatchIterationRequest(iteration_id=iteration.iteration_id, after_sequence=sequence)
        )

    for event in follow(watch):
        if event.HasField("state_change"):
            iteration = event.state_change
        if event.HasField("step"):
            step = event.step
            metrics.append(step)
            text = f"loss {step.loss:.4f}  margin {step.margin:.3f}  accuracy {step.implicit_accuracy:.2f}"
            line(f"{label}  step {step.step}/{options.steps}  {text}", step.step in (1, options.steps))
    require_success(label, iteration)
    print(f"{label}: {iteration.checkpoint_digest}", flush=True)
    return iteration.checkpoint_digest, metrics


def evaluate(evaluator, options: argparse.Namespace, checkpoints: list):
    """The same prompts and noise for every checkpoint."""
    spec = evaluation_pb2.EvaluationSpec(
        checkpoints=checkpoints,
        prompts={"name": options.dataset, "split": "test"},
        max_prompts=options.max_prompts,
        seeds=[1000],
        sampler={"kind": sampling_pb2.SAMPLER_KIND_DDIM, "num_steps": SAMPLING_STEPS, "guidance_scale": 2},
        batch_size=16,
        scorers=["scorer"],
    )
    request = evaluator_pb2.StartEvaluationRequest(request_id=f"{options.name}-evaluation", spec=spec)
    evaluation = evaluator.StartEvaluation(request, timeout=CALL_SECONDS).evaluation
    line = throttled()

    def watch(sequence: int):
        return evaluator.WatchEvaluation(
            evaluator_pb2.WatchEvaluationRequest(evaluation_id=evaluation.evaluation_id, after_sequence=sequence)
        )

    for event in follow(watch):
        if event.HasField("state_change"):
            evaluation = event.state_change
        if event.HasField("progress"):
            done, total = event.progress.images_done, event.progress.images_total
            line(f"evaluation  {event.progress.label}  picture {done}/{total}", done == total)
    require_success("the evaluation", evaluation)
    return evaluation


def follow(watch: Callable[[int], Iterator]) -> Iterator:
    """A job's events from its beginning to its end; after a broken connection, from the one after the last."""
    sequence = failures = 0
    while True:
        try:
            for event in watch(sequence):
                sequence, failures = event.sequence, 0
                yield event
            return
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or failures == RETRIES:
                raise
            failures += 1
            time.sleep(RETRY_SECONDS)


def require_success(name: str, job) -> None:
    if job.state != common_pb2.JOB_STATE_SUCCEEDED:
        reason = job.failure.message or "cancelled by a caller"
        raise SystemExit(f"error: {name} ended as {common_pb2.JobState.Name(job.state)}: {reason}")


def throttled() -> Callable[[str, bool], None]:
    """Prints a line where the last one is some seconds old, or where it matters."""
    printed = -PROGRESS_SECONDS

    def line(text: str, always: bool) -> None:
        nonlocal printed
        if always or time.monotonic() - printed >= PROGRESS_SECONDS:
            printed = time.monotonic()
            print(text, flush=True)

    return line


def print_table(evaluation) -> None:
    steps = {checkpoint.label: str(checkpoint.total_steps) for checkpoint in evaluation.spec.checkpoints}
    rows = [["", "steps", "score", "median", "win rate over base", "similarity", "KID", "CMMD"]]
    for result in [*evaluation.results, *([evaluation.real] if evaluation.HasField("real") else [])]:
        score = result.scores[0]
        rows.append(
            [
                result.label,
                steps.get(result.label, "–"),
                f"{score.mean:.3f}",
                f"{score.median:.3f}",
                estimate(score, "win_rate", 2),
                f"{result.similarity:.3f}",
                estimate(result, "kid", 3),
                estimate(result, "cmmd", 3),
            ]
        )
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)))


def estimate(message, field: str, decimals: int) -> str:
    """`0.83 [0.77, 0.89]`, with the 95 % interval where there is one."""
    if not message.HasField(field):
        return "–"
    measured = getattr(message, field)
    interval = f" [{measured.low:.{decimals}f}, {measured.high:.{decimals}f}]" if measured.HasField("low") else ""
    return f"{measured.value:.{decimals}f}{interval}"


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        raise SystemExit(f"error: {error.code().name}: {error.details()}") from None
