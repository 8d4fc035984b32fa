import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { claims } from '../claims/claims.ts';
import { claimsPage } from './claims-page.ts';
import { readReports } from './read-reports.ts';

const docs = new URL('../../../docs/', import.meta.url);

describe('the page of all claims', () => {
  it('is what the claims and the reports say', () => {
    const reports = readReports(fileURLToPath(new URL('claims', docs)));
    expect(
      readFileSync(new URL('claims.md', docs), 'utf8'),
      "docs/claims.md is not up to date: 'node scripts/claims-page.mjs' writes it",
    ).toBe(claimsPage(claims, reports));
  });

  it('has the result of a report with its figures, and says what has not been run', () => {
    const report =
      '# Title\n\n## Result\n\n- a against b: 1.00 points lower.\n\n## Arms\n\n![Errors](figures/errors.svg)\n\nErrors\n\n## Machine\n';
    const [first] = claims as [(typeof claims)[0]];
    const page = claimsPage(claims, new Map([[first.id, report]]));
    expect(page).toContain(
      `([the whole report](claims/${first.id}/report.md), with tables, machine and commands)\n\n- a against b: 1.00 points lower.\n\n![Errors](claims/${first.id}/figures/errors.svg)\n`,
    );
    expect(page.split('**Result: not run yet.**')).toHaveLength(claims.length);
    expect(page).toContain(
      'inception reproduce crops-and-ensembles --scale hours --data photos --out docs/claims/crops-and-ensembles',
    );
  });
});
