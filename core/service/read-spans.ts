import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import * as z from "zod";
import { toIoError } from "../checkpoint/io-errors.js";
import { SpinError } from "../errors.js";

/** A piece of work in a trace. */
export interface Span {
  readonly name: string;
  /** The process that did it, as `spin-trainer`; with several of a kind, and its instance where that is told. */
  readonly service: string;
  readonly id: string;
  /** Empty for the first of a trace. */
  readonly parent: string;
  /** Ids of other spans that it names. */
  readonly links: readonly string[];
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
}

const valueSchema = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.unknown().transform(() => ""),
]);
const attributesSchema = z.array(z.object({ key: z.string(), value: valueSchema })).default([]);
const nanoseconds = z.string().transform((text) => Number(BigInt(text)) / 1e6);
const spanSchema = z.object({
  name: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().default(""),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  links: z.array(z.object({ spanId: z.string() })).default([]),
  attributes: attributesSchema,
});
const lineSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: attributesSchema }).default({ attributes: [] }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

/**
 * Reads what SPIN_TRACE_FILE has collected: OTLP JSON, one ExportTraceServiceRequest per line.
 * @throws SpinError "notFound" for a file that is not there, "corrupt" naming the line that is something else
 */
export async function readSpans(file: string): Promise<Span[]> {
  const spans: Span[] = [];
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (line !== "") spans.push(...readLine(line));
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw toIoError(error, file, "read");
    const remedy = "give a file that SPIN_TRACE_FILE named";
    throw new SpinError("corrupt", `${file}: line ${number} is no trace in OTLP JSON`, { file, remedy, cause: error });
  }
  return spans;
}

function readLine(line: string): Span[] {
  const { resourceSpans } = lineSchema.parse(JSON.parse(line));
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = serviceOf(record(resource.attributes));
    const spans = scopeSpans.flatMap((scope) => scope.spans);
    return spans.map(({ name, spanId, parentSpanId, startTimeUnixNano, endTimeUnixNano, links, attributes }) => ({
      name,
      service,
      id: spanId,
      parent: parentSpanId,
      links: links.map((link) => link.spanId),
      start: startTimeUnixNano,
      end: endTimeUnixNano,
      attributes: record(attributes),
    }));
  });
}

function serviceOf(attributes: Span["attributes"]): string {
  const instance = attributes["service.instance.id"];
  return [attributes["service.name"] ?? "", ...(instance === undefined ? [] : [instance])].join(" ");
}

function record(attributes: z.infer<typeof attributesSchema>): Span["attributes"] {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value]));
}
