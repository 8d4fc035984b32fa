/**
 * The current page and its settings, kept in the URL after `#`, so that every view has an address and browser navigation works on
 * any web host, which serves a single file.
 */
import { useCallback, useSyncExternalStore } from 'react';

export const pageNames = ['networks', 'classify', 'teach', 'runs'] as const;
export type PageName = (typeof pageNames)[number];

export interface Location {
  readonly page: PageName;
  /** What the address names instead of a page. */
  readonly unknownPage: string | undefined;
  readonly settings: URLSearchParams;
}

export function readLocation(hash: string): Location {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const known = pageNames.find((name) => name === path);
  const unknownPage = known === undefined && path !== '' ? path : undefined;
  return { page: known ?? 'networks', unknownPage, settings: new URLSearchParams(query) };
}

/** `#/networks?a=inception-v4&at=inceptionA/0`; slashes stay readable. */
export function addressOf(page: PageName, settings?: URLSearchParams): string {
  const query = settings?.toString().replaceAll('%2F', '/').replaceAll('%2C', ',') ?? '';
  return `#/${page}${query ? `?${query}` : ''}`;
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

export const useHash = (): string => useSyncExternalStore(subscribe, () => location.hash);

/** A copy of the settings with changes; undefined removes a setting. */
export function changed(
  settings: URLSearchParams,
  changes: Readonly<Record<string, string | undefined>>,
): URLSearchParams {
  const next = new URLSearchParams(settings);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return next;
}

/** Changes settings in place: not every position of a slider should be a history entry. */
export function useChange(page: PageName, settings: URLSearchParams) {
  return useCallback(
    (changes: Readonly<Record<string, string | undefined>>) => {
      history.replaceState(null, '', addressOf(page, changed(settings, changes)));
      dispatchEvent(new HashChangeEvent('hashchange'));
    },
    [page, settings],
  );
}
