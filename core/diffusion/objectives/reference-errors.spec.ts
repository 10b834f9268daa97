import { emitModel } from "../../graph/onnx.js";
import * as ops from "../../graph/ops/index.js";
import { Session } from "../../graph/session.js";
import { createPhiloxStream } from "../philox.js";
import { referenceErrors } from "./reference-errors.js";
import { squaredError } from "./squared-error.js";

test("the references' errors are those that the graph computes of the same predictions", async () => {
  const shape = [3, 2, 4, 5];
  const stream = createPhiloxStream(5n, { iteration: 0, index: 0, purpose: 0 });
  const [target, prediction] = [stream.normals(120), stream.normals(120)];
  const e = squaredError(ops.input("target", shape), ops.input("prediction", shape));
  const session = await Session.create(emitModel({ e }));
  const inGraph = (await session.run({ target, prediction })).e!;
  await session.release();
  const onHost = referenceErrors(target, prediction, 3);
  expect(onHost).toHaveLength(3);
  onHost.forEach((error, i) => {
    expect(error).toBeCloseTo(inGraph[i]!, 6);
  });
  expect(onHost[0]).toBeCloseTo(target.slice(0, 40).reduce((sum, t, i) => sum + (t - prediction[i]!) ** 2, 0) / 40, 6);
});
