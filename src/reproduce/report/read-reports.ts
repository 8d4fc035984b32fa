/** The reports that are kept under docs/claims. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every `FOLDER/report.md` below a folder, by FOLDER. */
export function readReports(claims: string): ReadonlyMap<string, string> {
  const folders = existsSync(claims) ? readdirSync(claims) : [];
  return new Map(
    folders
      .map((folder) => [folder, join(claims, folder, 'report.md')] as const)
      .filter(([, file]) => existsSync(file))
      .map(([folder, file]) => [folder, readFileSync(file, 'utf8')]),
  );
}
