import { canonicalJson, digestOf, sha256Digest } from "./canonical-json.js";

describe("canonicalJson", () => {
  it("writes RFC 8785's own example", () => {
    const value: unknown = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it("sorts members by UTF-16 code units, at every depth", () => {
    expect(canonicalJson({ "\u{1f600}": 1, "\ufb33": 2, b: { z: 1, a: 2 }, B: 0 })).toBe(
      '{"B":0,"b":{"a":2,"z":1},"\u{1f600}":1,"\ufb33":2}',
    );
  });

  it.each([[NaN], [Number.POSITIVE_INFINITY], [undefined], [1n], [new Date(0)], [new Map()]])(
    "refuses %p and says where",
    (bad) => {
      expect(() => canonicalJson({ list: [0, bad] })).toThrow(/list\[1\]/);
    },
  );
});

describe("digestOf", () => {
  it("is the SHA-256 of the canonical text, whatever the order of members", () => {
    expect(digestOf({ b: 1, a: [] })).toBe(sha256Digest('{"a":[],"b":1}'));
    expect(digestOf({ a: [], b: 1 })).toBe(digestOf({ b: 1, a: [] }));
    expect(sha256Digest("abc")).toBe("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});
