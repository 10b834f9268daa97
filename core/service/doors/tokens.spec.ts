import { createToken, parseTokens, Tokens } from "./tokens.js";

const reader = createToken("reader", "read", 1);
const runner = createToken("runner", "run", 1);
const tokens = new Tokens([reader.entry, runner.entry]);
const refused = (message: string) =>
  expect.objectContaining({ kind: "unauthenticated", message: expect.stringContaining(message) });

describe("a token", () => {
  it("tells whose it is", () => {
    expect(tokens.check([`Bearer ${runner.token}`])).toEqual({ name: "runner", role: "run" });
    expect(tokens.check([`bearer ${reader.token}`])).toEqual({ name: "reader", role: "read" });
  });

  it.each([
    [[], "no token was sent"],
    [["Bearer a", "Bearer b"], "more than one"],
    [["Bearer"], "malformed"],
    [["Bearer "], "malformed"],
    [["Basic dXNlcjpwYXNz"], "malformed"],
    [["Bearer two words"], "malformed"],
    [[`Bearer ${"x".repeat(513)}`], "malformed"],
    [["Bearer spin_wrong"], "not one of this service's"],
    [[`Bearer ${runner.token}x`], "not one of this service's"],
    [[`Bearer ${runner.entry.sha256}`], "not one of this service's"],
  ])("%p is refused", (headers, message) => {
    expect(() => tokens.check(headers)).toThrow(refused(message));
  });

  it("is refused once it has expired, to the millisecond", () => {
    const end = Date.parse(runner.entry.expires);
    expect(tokens.check([`Bearer ${runner.token}`], end - 1).name).toBe("runner");
    expect(() => tokens.check([`Bearer ${runner.token}`], end)).toThrow(refused('the token "runner" expired on'));
  });

  it("is never repeated by a refusal", () => {
    const check = () => tokens.check(["Bearer secret-but-wrong"]);
    expect(check).toThrow(expect.objectContaining({ message: expect.not.stringContaining("secret-but-wrong") }));
  });
});

describe("a tokens file", () => {
  const text = (change: object) => JSON.stringify({ tokens: [{ ...runner.entry, ...change }] });

  it("gives back what was written", () => {
    expect(parseTokens(text({}), "tokens.json")).toEqual([runner.entry]);
    expect(text({})).not.toContain(runner.token);
  });

  it.each([
    ["{", "is not JSON"],
    ["[]", ""],
    [text({ role: "root" }), "tokens.0.role"],
    [text({ sha256: runner.token }), "tokens.0.sha256"],
    [text({ expires: "tomorrow" }), "tokens.0.expires"],
    [text({ expires: undefined }), "tokens.0.expires"],
    [text({ token: runner.token }), "tokens.0"],
  ])("%p is refused without showing what is in it", (content, member) => {
    const parse = () => parseTokens(content, "tokens.json");
    expect(parse).toThrow(
      expect.objectContaining({ kind: "invalid", message: expect.stringMatching(`^tokens.json: ${member}`) }),
    );
    expect(parse).toThrow(expect.objectContaining({ message: expect.not.stringContaining(runner.token) }));
  });
});
