// SPDX-License-Identifier: Apache-2.0
import { island } from './page-data.js';
import { withSource } from './render.js';

const job = island('job');
if (job && ['accepted', 'running'].includes(job.status)) setTimeout(() => window.location.reload(), 3000);

const result = document.getElementById('result');
if (result) document.getElementById('answer').append(...withSource(JSON.parse(result.textContent)));
