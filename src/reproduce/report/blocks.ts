/** A report as data, and as Markdown and HTML, so that both say the same. Pure. */
import { escapeXml } from '../../train/charts/line-chart.ts';

export interface Figure {
  /** Without a folder: `errors.svg`. */
  readonly file: string;
  readonly svg: string;
  readonly caption: string;
}

export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'quote'; readonly text: string; readonly source: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  /** The first column is text, the others are numbers. */
  | {
      readonly kind: 'table';
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  | ({ readonly kind: 'figure' } & Figure);

export interface Report {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export const figuresFolder = 'figures';

export const heading = (text: string): Block => ({ kind: 'heading', text });
export const paragraph = (text: string): Block => ({ kind: 'paragraph', text });
export const list = (items: readonly string[]): Block => ({ kind: 'list', items });
export const commands = (lines: readonly string[]): Block => ({ kind: 'commands', lines });
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): Block => ({
  kind: 'table',
  head,
  rows,
});

export const escapeMarkdown = (text: string): string => text.replaceAll(/[\\`*_[\]<>|]/g, '\\$&');

function markdownOf(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `## ${escapeMarkdown(block.text)}`;
    case 'paragraph':
      return escapeMarkdown(block.text);
    case 'quote':
      return `> ${escapeMarkdown(block.text)}\n>\n> ${escapeMarkdown(block.source)}`;
    case 'list':
      return block.items.map((item) => `- ${escapeMarkdown(item)}`).join('\n');
    case 'table': {
      const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
      const rule = `| ${block.head.map((_, index) => (index === 0 ? '---' : '--:')).join(' | ')} |`;
      return [line(block.head), rule, ...block.rows.map(line)].join('\n');
    }
    case 'commands':
      return `\`\`\`sh\n${block.lines.join('\n')}\n\`\`\``;
    case 'figure':
      return `![${escapeMarkdown(block.caption)}](${figuresFolder}/${block.file})\n\n${escapeMarkdown(block.caption)}`;
  }
}

export const toMarkdown = ({ title, blocks }: Report): string =>
  `${[`# ${escapeMarkdown(title)}`, ...blocks.map(markdownOf)].join('\n\n')}\n`;

function htmlOf(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h2>${escapeXml(block.text)}</h2>`;
    case 'paragraph':
      return `<p>${escapeXml(block.text)}</p>`;
    case 'quote':
      return `<blockquote><p>${escapeXml(block.text)}</p><footer>${escapeXml(block.source)}</footer></blockquote>`;
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${escapeXml(item)}</li>`).join('')}</ul>`;
    case 'table': {
      const row = (cells: readonly string[], tag: 'th' | 'td') =>
        `<tr>${cells.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;
      return `<div class="wide"><table><thead>${row(block.head, 'th')}</thead><tbody>${block.rows.map((cells) => row(cells, 'td')).join('')}</tbody></table></div>`;
    }
    case 'commands':
      return `<pre>${escapeXml(block.lines.join('\n'))}</pre>`;
    case 'figure':
      return `<figure>${block.svg}<figcaption>${escapeXml(block.caption)}</figcaption></figure>`;
  }
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1f2933;background:#fff}
blockquote{margin:1rem 0;padding:.2rem 1rem;border-left:4px solid #9aa5b1}blockquote footer{color:#52606d}
table{border-collapse:collapse}th,td{padding:.3rem .7rem;border-bottom:1px solid #d5dbe1;text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left}.wide,pre{overflow-x:auto}pre{background:#f5f7fa;padding:.8rem}
figure{margin:1.5rem 0}figure svg{max-width:100%;height:auto}figcaption{color:#52606d}`;

export const toHtml = ({ title, blocks }: Report): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeXml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeXml(title)}</h1>
${blocks.map(htmlOf).join('\n')}
</body>
</html>
`;
