import { SpinError } from "../core/errors.js";

const DEFAULT_PAGE_SIZE = 100;

/** One page of a list that only grows at its end, with the token of the next page (empty: this was the last). */
export function pageOf<T>(items: readonly T[], pageSize: number, pageToken: string): { page: T[]; next: string } {
  const start = pageToken === "" ? 0 : Number(pageToken);
  if (!/^\d*$/.test(pageToken) || start > items.length) {
    throw new SpinError("invalid", `page_token: expected the next_page_token of a page, got "${pageToken}"`, {
      field: "page_token",
    });
  }
  const end = start + (pageSize || DEFAULT_PAGE_SIZE);
  return { page: items.slice(start, end), next: end < items.length ? String(end) : "" };
}
