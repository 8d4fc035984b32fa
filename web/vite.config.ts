import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  // Relative addresses: the page works in any folder of any web host.
  base: './',
  plugins: [react()],
  resolve: {
    // ONNX Runtime without its WebAssembly inside: the files are assets of their own, and threads start from them.
    conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
  },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // The page's largest parts are loaded where they are needed.
    chunkSizeWarningLimit: 1000,
    // A WebAssembly file inside a script could not be cached or streamed.
    assetsInlineLimit: 0,
  },
});
