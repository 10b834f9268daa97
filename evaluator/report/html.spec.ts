import { escapeHtml, html, trusted } from "./html.js";

test("text is escaped, in content and in attributes", () => {
  const evil = `"><script>alert('1')</script>&`;
  expect(html`<p title="${evil}">${evil}</p>`.html).toBe(
    `<p title="${escapeHtml(evil)}">&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;</p>`,
  );
});

test("HTML inside HTML is not escaped twice, and lists are joined", () => {
  expect(html`<ul>${["a & b", "c"].map((text) => html`<li>${text}</li>`)}</ul>`.html).toBe(
    "<ul><li>a &amp; b</li><li>c</li></ul>",
  );
  expect(html`${trusted("<br>")}`.html).toBe("<br>");
});

test("what is absent leaves nothing behind, zero is not absent", () => {
  expect(html`[${undefined}${false}${0}]`.html).toBe("[0]");
});
