/** Lines of code that can be copied. */
import { useState } from 'react';
import './code.css';

export function Code({ name, text }: { name: string; text: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div className="code">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be focusable by keyboard */}
      <section tabIndex={0} aria-label={`Code for ${name}`}>
        <pre>
          <code>{text}</code>
        </pre>
      </section>
      {navigator.clipboard && (
        <button
          type="button"
          aria-label={`${isCopied ? 'Copied' : 'Copy'}: the code for ${name}`}
          onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
        >
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  );
}
