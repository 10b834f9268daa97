/** What a finished export says; code 0 is success, as in OpenTelemetry's core. */
interface Result {
  readonly code: number;
}

/** Has an exporter's failures counted: a collector that is away, slow or broken changes nothing else. */
export function countFailures<Batch, E>(
  exporter: E & { export(batch: Batch, done: (result: Result) => void): void },
  onFailure: () => void,
): E {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      if (result.code !== 0) onFailure();
      done(result);
    });
  return exporter;
}
