// SPDX-License-Identifier: Apache-2.0
/* global SwaggerUIBundle */
const host = document.getElementById('api-docs');
host.replaceChildren();

SwaggerUIBundle({
  url: host.dataset.document,
  domNode: host,
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: -1,
  // Without null it asks a validator on the internet.
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
});
