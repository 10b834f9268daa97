import { findDuplicateKey } from "./json-keys.js";

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', undefined],
  ['{"a":1,"a":2}', "a"],
  ['{"x":{"a" :1, "b":0,\n"a":2}}', "a"],
  ['{"a":"\\"a\\":","b":"a"}', undefined],
  ['{"a":1,"\\u0061":2}', "a"],
  ['{"a\\\\":1,"a":2,"a\\\\":3}', "a\\"],
  ['["a","a"]', undefined],
  ['{"__proto__":1,"__proto__":2}', "__proto__"],
])("in %s the key that occurs twice is %j", (text, expected) => {
  JSON.parse(text);
  expect(findDuplicateKey(text)).toBe(expected);
});
