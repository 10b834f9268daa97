import { pageOf } from "./paging.js";

test("pages follow one another to the end", () => {
  const items = [1, 2, 3, 4, 5];
  const pages: number[][] = [];
  let token = "";
  do {
    const { page, next } = pageOf(items, 2, token);
    pages.push(page);
    token = next;
  } while (token !== "");
  expect(pages).toEqual([[1, 2], [3, 4], [5]]);
  expect(pageOf(items, 0, "")).toEqual({ page: items, next: "" });
  expect(pageOf([], 2, "")).toEqual({ page: [], next: "" });
});

test.each(["x", "-1", "6", "1.5"])("the token %s is refused", (token) => {
  expect(() => pageOf([1, 2, 3, 4, 5], 2, token)).toThrow("page_token");
});
