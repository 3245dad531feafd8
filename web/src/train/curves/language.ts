// Chromium calls its language `en-US@posix` where the system says none, which Intl refuses and uPlot asks it for as it is loaded.
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: navigator.language.replace(/@.*$/, ''), configurable: true });
}
