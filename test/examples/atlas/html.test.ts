import { html } from '../../../examples/atlas/html';

test('text is escaped, also in attributes', () => {
  const text = `<b title="x">&'</b>`;
  expect(html`<p class="${text}">${text}</p>`.markup).toBe(
    '<p class="&lt;b title=&quot;x&quot;&gt;&amp;&#39;&lt;/b&gt;">&lt;b title=&quot;x&quot;&gt;&amp;&#39;&lt;/b&gt;</p>',
  );
});

test('markup is not escaped twice, and lists are joined', () => {
  const items = ['a', '<'].map((item) => html`<li>${item}</li>`);
  expect(html`<ul>${items}</ul>`.markup).toBe('<ul><li>a</li><li>&lt;</li></ul>');
});

test('nothing shows nothing, but 0 and empty text are something', () => {
  expect(html`[${undefined}${false}${0}${''}]`.markup).toBe('[0]');
});
