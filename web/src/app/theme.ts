import { effect, type Signal, signal } from '@preact/signals';

const themes = ['as the system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const KEY = 'zeroseg-theme';

const kept = localStorage.getItem(KEY);

export const theme: Signal<Theme> = signal(themes.find((one) => one === kept) ?? 'as the system');

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] as Theme;
}

effect(() => {
  const { value } = theme;
  localStorage.setItem(KEY, value);
  if (value === 'as the system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = value;
});
