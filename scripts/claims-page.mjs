// Writes docs/claims.md from the claims and from the reports below docs/claims. Needs what `npm run setup` builds.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claims } from '../dist/reproduce/claims/claims.js';
import { claimsPage } from '../dist/reproduce/report/claims-page.js';
import { readReports } from '../dist/reproduce/report/read-reports.js';

const docs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs');
writeFileSync(join(docs, 'claims.md'), claimsPage(claims, readReports(join(docs, 'claims'))));
