/** What this page may change through the dashboard's server: the token comes with the address that the command printed. */
import { useEffect, useState } from 'react';
import type { Control } from '../../src/dashboard/api.ts';
import { readLocation } from './location.ts';
import { fetchJson } from './runs/api.ts';

const key = 'inception dashboard token';

/** Moves the token out of the address, which may be shared, into this tab's memory. */
export function takeToken(): void {
  const { settings } = readLocation(location.hash);
  const token = settings.get('token');
  if (token === null) return;
  sessionStorage.setItem(key, token);
  settings.delete('token');
  const [path = ''] = location.hash.split('?');
  const rest = settings.toString();
  history.replaceState(null, '', rest === '' ? path : `${path}?${rest}`);
}

/** `no server`: a static page; `reads`: trainings are not allowed; `no token`: they are, from another address. */
export type Permission = 'unknown' | 'no server' | 'reads' | 'no token' | 'may train';

export function usePermission(): Permission {
  const [permission, setPermission] = useState<Permission>('unknown');
  useEffect(() => {
    const controller = new AbortController();
    fetchJson<Control>('control', controller.signal)
      .then((control) => {
        const has = sessionStorage.getItem(key) !== null;
        setPermission(control?.training ? (has ? 'may train' : 'no token') : 'reads');
      })
      .catch(() => controller.signal.aborted || setPermission('no server'));
    return () => controller.abort();
  }, []);
  return permission;
}

interface Sent {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly body?: object | Blob;
}

/** A request with the token. @throws Error with the server's reason */
export async function send<T>(path: string, { method, body }: Sent): Promise<T> {
  const isFile = body instanceof Blob;
  const response = await fetch(`./api/${path}`, {
    method,
    cache: 'no-store',
    headers: {
      authorization: `Bearer ${sessionStorage.getItem(key)}`,
      ...(body && { 'content-type': isFile ? 'application/octet-stream' : 'application/json' }),
    },
    ...(body && { body: isFile ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = text === '' ? {} : JSON.parse(text);
  if (response.status === 401)
    throw new Error(
      'the dashboard was started anew, and this page has the token of before: open the address that it printed',
    );
  if (!response.ok) throw new Error(answer.error ?? `the server responded ${response.status}`);
  return answer as T;
}
