import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  // Relative URLs: the page works in any folder of any web host.
  base: './',
  plugins: [react()],
  resolve: {
    // ONNX Runtime without embedded WebAssembly: the files are separate assets, from which threads start.
    conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
  },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // The largest parts are loaded on demand.
    chunkSizeWarningLimit: 1000,
    // WebAssembly inside a script could not be cached or streamed.
    assetsInlineLimit: 0,
  },
});
