import type { Span } from "../../core/service/read-spans.js";
import type { Timeline, TimelineSpan } from "../../proto/gen/spin/v1/evaluation.js";

/** Stretches of one kind with less than this share of the whole between them are drawn as one. */
const RESOLUTION = 1 / 1200;

/** What a span is drawn as: the lane within its service, and the kind of work. */
const DRAWN: Readonly<Record<string, { readonly lane: string; readonly kind: string }>> = {
  iteration: { lane: "stages", kind: "stage" },
  "evaluate real winners": { lane: "stages", kind: "stage" },
  "evaluate checkpoint": { lane: "stages", kind: "stage" },
  "worker add": { lane: "trainer", kind: "computing" },
  "worker update": { lane: "trainer", kind: "updating" },
  "wait for draws": { lane: "trainer", kind: "waiting" },
  "take draws": { lane: "streaming", kind: "streaming" },
  "worker draws": { lane: "generator", kind: "computing" },
  "worker pictures": { lane: "generator", kind: "rendering" },
  "worker score": { lane: "evaluator", kind: "scoring" },
};

/**
 * A timeline out of the spans of generators, trainer and evaluator. Lanes: stages, then each service's work; several
 * generators have a lane each where their traces tell them apart by `service.instance.id`.
 *
 * @param labels of iterations by their identifiers; others go by their numbers
 */
export function timelineOf(spans: readonly Span[], labels: ReadonlyMap<string, string> = new Map()): Timeline {
  const drawn = spans.flatMap((span) => {
    const how = DRAWN[span.name];
    return how === undefined ? [] : [{ ...how, lane: laneOf(how.lane, span), label: labelOf(span, labels), span }];
  });
  const start = drawn.reduce((first, { span }) => Math.min(first, span.start), Number.POSITIVE_INFINITY);
  const end = drawn.reduce((last, { span }) => Math.max(last, span.end), 0);
  const seconds = drawn.length === 0 ? 0 : (end - start) / 1000;
  const lanes = new Map<string, TimelineSpan[]>();
  for (const { lane, kind, label, span } of drawn) {
    const into = lanes.get(lane) ?? [];
    lanes.set(lane, into);
    into.push({ kind, label, start: (span.start - start) / 1000, end: (span.end - start) / 1000 });
  }
  const order = ["stages", "trainer", "streaming", "generator", "evaluator"];
  const rank = (name: string) => order.findIndex((known) => name.startsWith(known));
  const named = [...lanes].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
  return { seconds, lanes: named.map(([name, own]) => ({ name, spans: joined(own, seconds * RESOLUTION) })) };
}

function laneOf(lane: string, { service }: Span): string {
  const [, instance] = service.split(" ");
  return instance === undefined || lane === "stages" ? lane : `${lane} ${instance}`;
}

function labelOf({ name, attributes }: Span, labels: ReadonlyMap<string, string>): string {
  const known = labels.get(String(attributes["spin.iteration"]));
  if (name === "iteration" && known !== undefined) return known;
  if (name === "iteration") return `iteration ${attributes["spin.iteration.number"] ?? ""}`.trimEnd();
  if (name === "evaluate checkpoint") return `evaluate ${attributes["spin.checkpoint.label"] ?? ""}`.trimEnd();
  return name === "evaluate real winners" ? "evaluate winners" : "";
}

/** Stretches of one kind that follow each other closely, as one. */
function joined(spans: readonly TimelineSpan[], gap: number): TimelineSpan[] {
  const result: TimelineSpan[] = [];
  const last = new Map<string, TimelineSpan>();
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const key = `${span.kind} ${span.label}`;
    const before = last.get(key);
    if (before !== undefined && span.label === "" && span.start - before.end <= gap) {
      before.end = Math.max(before.end, span.end);
      continue;
    }
    const own = { ...span };
    last.set(key, own);
    result.push(own);
  }
  return result;
}
