/** A table for people; all columns but the first are numbers. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the reader has to know beside the figures. */
  readonly notes?: readonly string[];
}

/** For a terminal. */
export function formatText({ title, head, rows, notes = [] }: Table): string {
  const plain = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('`', '')));
  const widths = head.map((_, column) => Math.max(...plain.map((row) => row[column]!.length)));
  const lines = plain.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  );
  return [title, '', ...lines, ...notes.map((note) => `  ${note}`)].join('\n');
}

/** For a document. */
export function formatMarkdown({ title, head, rows, notes = [] }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.trim()).join(' | ')} |`;
  const rule = line(head.map((_, i) => (i === 0 ? '---' : '--:')));
  const below = notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)];
  return [`### ${title}`, '', line(head), rule, ...rows.map(line), ...below].join('\n');
}
