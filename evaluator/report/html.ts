/** Text that is HTML already: nothing else gets into a page without being escaped. */
export interface Html {
  readonly html: string;
}

/** What a template takes: text and numbers are escaped, HTML is not, lists are joined, undefined and false are left out. */
export type Content = Html | string | number | undefined | false | readonly Content[];

/** Tagged template for HTML and SVG, as `html\`<p>${text}</p>\``. Attribute values must stand in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return { html: parts.map((part, i) => (i === 0 ? part : toHtml(values[i - 1]) + part)).join("") };
}

/** Marks text as HTML, for the constants of this program alone. */
export function trusted(text: string): Html {
  return { html: text };
}

function toHtml(value: Content): string {
  if (value === undefined || value === false) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  if ("html" in value) return value.html;
  return value.map(toHtml).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes what has a meaning in HTML text and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
