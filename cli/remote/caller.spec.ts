import { callOwnServices, openCaller, useCallerFlags } from "./caller.js";

afterEach(() => {
  useCallerFlags({});
  delete process.env.SPIN_TLS_CA;
});

test("a flag for others' services is refused where the command starts its own; what the environment says is not for them", async () => {
  process.env.SPIN_TLS_CA = "/nowhere/ca.pem";
  await expect(openCaller()).rejects.toThrow("/nowhere/ca.pem");
  useCallerFlags({ tlsName: "trainer" });
  expect(callOwnServices).toThrow("--tls-name has no use");
  useCallerFlags({});
  callOwnServices();
  expect((await openCaller()).isSecure).toBe(false);
});
