/** The frame around the pages. */
import { lazy, Suspense, useEffect, useMemo, useRef } from 'react';
import { addressOf, type PageName, pageNames, readLocation, useHash } from './location.ts';
import { NetworksPage } from './networks/networks-page.tsx';
import { toggleTheme, useTheme } from './theme.ts';

// The runtime and the charts are larger than the rest, so that they are loaded on demand.
const ClassifyPage = lazy(() => import('./classify/classify-page.tsx'));
const TeachPage = lazy(() => import('./teach/teach-page.tsx'));
const RunsPage = lazy(() => import('./runs/runs-page.tsx'));

const titles: Readonly<Record<PageName, string>> = {
  networks: 'Networks',
  classify: 'Classify',
  teach: 'Teach',
  runs: 'Runs',
};

export function App() {
  const hash = useHash();
  const { page, unknownPage, settings } = useMemo(() => readLocation(hash), [hash]);
  const main = useRef<HTMLElement>(null);
  const shown = useRef(page);
  useEffect(() => {
    document.title = `${titles[page]} – Inception`;
    // A new page starts at the top, also for screen readers.
    if (shown.current !== page) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    shown.current = page;
  }, [page]);
  return (
    <>
      <header>
        <a className="skip" href={hash || '#/networks'} onClick={(event) => skipTo(event, main.current)}>
          Skip to content
        </a>
        <a className="brand" href="#/networks">
          <img src="./icon.svg" alt="" width="26" height="26" />
          Inception
        </a>
        <nav aria-label="Pages">
          {pageNames.map((name) => (
            <a key={name} href={addressOf(name)} aria-current={name === page ? 'page' : undefined}>
              {titles[name]}
            </a>
          ))}
        </nav>
        <ThemeButton />
      </header>
      <main ref={main} tabIndex={-1}>
        {unknownPage !== undefined && (
          <p role="alert">
            The address names a page that is not here: '{unknownPage}'. Shown instead: {titles[page]}. There
            are {pageNames.join(', ')}.
          </p>
        )}
        <Suspense fallback={<p className="quiet">Loading…</p>}>
          {page === 'networks' && <NetworksPage settings={settings} />}
          {page === 'classify' && <ClassifyPage />}
          {page === 'teach' && <TeachPage />}
          {page === 'runs' && <RunsPage settings={settings} />}
        </Suspense>
      </main>
    </>
  );
}

function skipTo(event: React.MouseEvent, target: HTMLElement | null): void {
  event.preventDefault();
  target?.focus();
}

function ThemeButton() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button type="button" className="round" onClick={toggleTheme} aria-label={`Use ${other} colours`}>
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        {theme === 'dark' ? (
          <path
            d="M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4M13.5 10a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Z"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.6"
            strokeLinecap="round"
          />
        ) : (
          <path d="M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z" fill="currentColor" />
        )}
      </svg>
    </button>
  );
}
