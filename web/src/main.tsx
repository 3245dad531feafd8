import { render } from 'preact';
import { App } from './app/app.tsx';
import { keepPage } from './offline/register.ts';
import './styles/base.css';
import './styles/models.css';
import './styles/segment.css';

render(<App />, document.getElementById('app') as HTMLElement);
keepPage();
