import DefaultTheme from 'vitepress/theme';
import { h } from 'vue';
import HeroCode from './HeroCode.vue';
import RunnableExample from './RunnableExample.vue';
import './style.css';

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(HeroCode) }),
  enhanceApp({ app }) {
    app.component('RunnableExample', RunnableExample);
  },
};
