/** Light or dark: the system's setting, or the user's choice. */
import { useSyncExternalStore } from 'react';

export type Theme = 'light' | 'dark';

const key = 'inception theme';
const query = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

const stored = (): Theme | undefined => {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    // Without permission to use storage, the system's setting applies.
    return undefined;
  }
};

let chosen = stored();

const current = (): Theme => chosen ?? (query.matches ? 'dark' : 'light');

function apply(): void {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  for (const listener of listeners) listener();
}

query.addEventListener('change', apply);
apply();

export function toggleTheme(): void {
  const next = current() === 'dark' ? 'light' : 'dark';
  chosen = next === (query.matches ? 'dark' : 'light') ? undefined : next;
  try {
    if (chosen) localStorage.setItem(key, chosen);
    else localStorage.removeItem(key);
  } catch {
    // The choice then lasts for this visit only.
  }
  apply();
}

export const useTheme = (): Theme =>
  useSyncExternalStore((onChange) => {
    listeners.add(onChange);
    return () => listeners.delete(onChange);
  }, current);
